/** Light, dark or as the system has it. Kept in this browser; the tokens do the rest. */
export type ThemeChoice = 'system' | 'light' | 'dark';
export const themeChoices: readonly ThemeChoice[] = ['system', 'light', 'dark'];

const storageKey = 'skiff.theme';

export class Theme {
  readonly #page: Window;
  #choice = $state<ThemeChoice>('system');

  constructor(page: Window) {
    this.#page = page;
    const stored = page.localStorage.getItem(storageKey);
    this.choose(themeChoices.find((choice) => choice === stored) ?? 'system');
  }

  get choice(): ThemeChoice {
    return this.#choice;
  }

  choose(choice: ThemeChoice): void {
    this.#choice = choice;
    this.#page.localStorage.setItem(storageKey, choice);
    const root = this.#page.document.documentElement;
    if (choice === 'system') delete root.dataset['theme'];
    else root.dataset['theme'] = choice;
  }
}
