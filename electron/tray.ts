/** Draws the tray: what it shows comes from desktop/services/tray-menu.ts, what it does goes back as commands. */
import type { MenuItemConstructorOptions, Tray } from 'electron';
import type { Clock } from '../desktop/services/clock.ts';
import {
  trayMenu,
  trayMood,
  trayTooltip,
  type TrayCommand,
  type TrayItem,
  type TrayMood,
  type TrayState,
} from '../desktop/services/tray-menu.ts';

export function menuTemplate(
  items: readonly TrayItem[],
  run: (command: TrayCommand) => void,
): MenuItemConstructorOptions[] {
  return items.map((item): MenuItemConstructorOptions => {
    switch (item.kind) {
      case 'separator':
        return { type: 'separator' };
      case 'label':
        return { label: literal(item.text), enabled: false };
      case 'action':
        return { label: literal(item.text), click: () => run(item.command) };
      case 'submenu':
        return { label: literal(item.text), submenu: menuTemplate(item.items, run) };
    }
  });
}

/** Menus read `&` as the mark of an access key. */
function literal(text: string): string {
  return text.replaceAll('&', '&&');
}

/** A menu that is open would flicker, and some desktops forget clicks, when it is redrawn more often. */
const redrawPauseMs = 1000;

export interface TrayIconOptions {
  readonly tray: Pick<Tray, 'setToolTip' | 'setImage' | 'setContextMenu'>;
  readonly buildMenu: (template: MenuItemConstructorOptions[]) => Parameters<Tray['setContextMenu']>[0];
  readonly imageFor: (mood: TrayMood) => Parameters<Tray['setImage']>[0];
  readonly run: (command: TrayCommand) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Redraws when the state has changed, at once and then at most once a second. */
export class TrayIcon {
  readonly #options: TrayIconOptions;
  #next: TrayState | null = null;
  #isResting = false;
  #drawn = '';

  constructor(options: TrayIconOptions) {
    this.#options = options;
  }

  show(state: TrayState): void {
    this.#next = state;
    if (!this.#isResting) void this.#draw();
  }

  async #draw(): Promise<void> {
    const { clock, signal } = this.#options;
    this.#isResting = true;
    while (this.#next && !signal.aborted) {
      this.#put(this.#next);
      this.#next = null;
      await clock.sleep(redrawPauseMs, signal);
    }
    this.#isResting = false;
  }

  #put(state: TrayState): void {
    const { tray, buildMenu, imageFor, run } = this.#options;
    const items = trayMenu(state);
    const mood = trayMood(state);
    const toolTip = trayTooltip(state);
    const all = JSON.stringify([items, mood, toolTip]);
    if (all === this.#drawn) return;
    this.#drawn = all;
    tray.setContextMenu(buildMenu(menuTemplate(items, run)));
    tray.setImage(imageFor(mood));
    tray.setToolTip(toolTip);
  }
}
