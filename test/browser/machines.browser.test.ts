import { expect, it } from 'vitest';
import { DesktopError } from '../../desktop/contract/errors.ts';
import { chromiumSuite, eventually } from './chromium-suite.ts';
import { firstRunSteps, machineRow, operationRow } from './fixture-rows.ts';
import { examined, workingDay } from './scenes.ts';

chromiumSuite('machines', (open) => {
  it('shows what a machine is and how to use it from a terminal', async () => {
    await using opened = await open({ set: workingDay, permissions: ['clipboard-read', 'clipboard-write'] });
    const { page, world, visit } = opened;
    world.console('default').write('sshd is up\n');
    await visit('#/machines');
    await page.getByRole('link', { name: 'default' }).first().click();
    const facts = page.getByRole('region', { name: 'About this machine' });
    for (const fact of [
      'QEMU',
      'root@127.0.0.1:49213',
      '4 GB',
      '64 GB',
      'hvf, cpu host',
      '0.1.0',
      'connected',
      '5 of 8 running',
    ])
      await facts.getByText(fact, { exact: true }).waitFor();
    await page.getByRole('region', { name: 'What it uses' }).getByText('11.2 GB of 63 GB').waitFor();
    await page.getByRole('button', { name: 'Copy: docker context use skiff-default' }).click();
    await eventually(() => page.evaluate('navigator.clipboard.readText()')).toBe('docker context use skiff-default');
    world.machines.set(machineRow({ engineVersion: '0.0.9' }));
    await page.getByText('Its engine is 0.0.9, this Skiff brings 0.1.0').waitFor();
    await page.getByRole('button', { name: 'Upgrade the engine' }).click();
    await eventually(() => world.asked).toEqual(['upgrade default']);
  });

  it('shows its logs, those in the machine only while it runs', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world, visit } = opened;
    world.console('default').write('sshd is up\n');
    world.console('engine default').write('listening\n');
    await visit('#/machines/default');
    await page.getByRole('link', { name: 'Logs' }).click();
    await page.getByRole('log').getByText('sshd is up').waitFor();
    await page.getByText('Engine', { exact: true }).click();
    await page.getByRole('log').getByText('listening').waitFor();
    world.machines.set(machineRow({ state: 'stopped' }));
    await page.getByText('start it to read it').waitFor();
  });

  it('asks before it stops what runs, and before it removes everything', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world, visit } = opened;
    await visit('#/machines/default');
    await page.getByRole('button', { name: 'Stop' }).click();
    const question = page.getByRole('alertdialog', { name: 'Stop the machine default?' });
    await question.getByText('5 running containers will be stopped').waitFor();
    await question.getByRole('button', { name: 'Stop the machine' }).click();
    await page.getByRole('button', { name: 'Start' }).waitFor();
    expect(world.asked).toEqual(['stopMachine default']);

    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Remove …' }).click();
    const removal = page.getByRole('alertdialog', { name: 'Remove the machine default?' });
    const confirm = removal.getByRole('button', { name: 'Remove the machine' });
    expect(await confirm.isDisabled()).toBe(true);
    await removal.getByRole('textbox', { name: 'Type default to confirm' }).fill('default');
    await confirm.click();
    await page.getByRole('heading', { name: 'Welcome to Skiff' }).waitFor();
    expect(world.asked).toEqual(['stopMachine default', 'removeMachine default']);
  });

  it('shows how far an operation is', async () => {
    await using opened = await open({
      set: (world) => {
        workingDay(world);
        const operation = operationRow({ verb: 'start', steps: firstRunSteps(2) });
        world.machines.set(machineRow({ name: 'build-box', state: 'starting', operation }));
      },
    });
    const { page, visit } = opened;
    await visit('#/machines');
    expect(await page.getByRole('progressbar', { name: 'Starting the machine' }).getAttribute('aria-valuenow')).toBe(
      '50',
    );
    await visit('#/machines/build-box');
    await page.getByText('Linux is up, waiting for SSH').waitFor();
  });

  it('makes one with the driver that is chosen, of which the form knows the settings', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world, visit } = opened;
    const made = world.hold('changeMachine');
    await visit('#/machines');
    await page.getByRole('button', { name: 'New machine' }).click();
    expect(await page.getByRole('radio', { name: 'QEMU Recommended' }).isChecked()).toBe(true);
    await page.getByText('1 not usable on this computer').click();
    expect(await page.getByRole('radio', { name: 'VirtualBox' }).isDisabled()).toBe(true);
    await page.getByText('VBoxManage is not there: install VirtualBox 7').waitFor();

    await page.getByRole('radio', { name: 'A Linux host by SSH' }).check();
    await page.getByRole('textbox', { name: 'Name' }).fill('office');
    expect(await page.getByRole('textbox', { name: 'Port' }).isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Make the machine' }).click();
    await page.getByText('This is needed.').waitFor();
    expect(world.asked).toEqual([]);

    await page.getByRole('textbox', { name: 'Address' }).fill('192.0.2.7');
    const password = page.getByLabel('Password for sudo');
    expect(await password.getAttribute('type')).toBe('password');
    await password.fill('hush');
    await page.getByText('skiff machine create --driver generic').waitFor();
    expect(await page.getByText('hush').count()).toBe(0);
    await page.getByRole('button', { name: 'Make the machine' }).click();
    await page.getByRole('button', { name: 'Looking whether it can be made' }).waitFor();
    made(new DesktopError('login-refused', 'The host does not let root log in: give a key.'));
    await page.getByText('give a key').waitFor();

    await page.getByRole('button', { name: 'Make the machine' }).click();
    await page.getByRole('heading', { name: 'office' }).waitFor();
    const settings = '{"ipAddress":"192.0.2.7","sudoPassword":"hush"}';
    expect(world.asked).toEqual([`create office generic ${settings}`, `create office generic ${settings}`]);
  });

  it('shows a creation step by step, and offers to go on or to take back what failed', async () => {
    await using opened = await open({
      set: (world) => {
        workingDay(world);
        const operation = operationRow({ verb: 'create', steps: firstRunSteps(2) });
        world.machines.set(machineRow({ name: 'build-box', state: 'creating', dockerHost: null, operation }));
      },
    });
    const { page, world, visit } = opened;
    await visit('#/machines/build-box');
    await page.getByText('Linux is up, waiting for SSH').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await eventually(() => world.asked).toEqual(['cancel build-box']);
    const error = { code: 'aborted' as const, message: 'Cancelled.' };
    world.machines.set(
      machineRow({
        name: 'build-box',
        state: 'create-failed',
        error: 'It was interrupted.',
        operation: operationRow({ verb: 'create', state: 'cancelled', steps: firstRunSteps(2), error }),
      }),
    );
    await page.getByText('It was interrupted.').waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    await eventually(() => world.asked.at(-1)).toBe('ensureRunning build-box');
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Remove what was made …' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Remove the machine' }).click();
    await eventually(() => world.asked.at(-1)).toBe('removeMachine build-box');
  });

  it('offers what the driver can, and nothing else', async () => {
    await using opened = await open({
      set: (world) => {
        workingDay(world);
        world.machines.set(machineRow({ name: 'host', driver: 'generic', abilities: [], settings: {} }));
      },
    });
    const { page, visit } = opened;
    const items = async (): Promise<string[]> => {
      await page.getByRole('button', { name: 'More actions' }).click();
      await page.getByRole('menuitem').first().waitFor();
      const words = await page.getByRole('menuitem').allInnerTexts();
      await page.keyboard.press('Escape');
      await page.getByRole('menu').waitFor({ state: 'detached' });
      return words;
    };
    await visit('#/machines/host');
    await page.getByText('A Linux host by SSH').waitFor();
    expect(await items()).toEqual(['Upgrade the engine', 'Power off at once', 'Remove …']);
    expect(await page.getByRole('region', { name: 'Snapshots' }).count()).toBe(0);
    await visit('#/machines/default');
    await page.getByRole('region', { name: 'Snapshots' }).waitFor();
    expect((await items()).slice(0, 3)).toEqual(['Pause', 'Suspend to disk', 'Change its sizes …']);
  });

  it('resizes, shares, pauses and says why something did not work', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world, visit } = opened;
    const choose = async (name: string): Promise<void> => {
      await page.getByRole('button', { name: 'More actions' }).click();
      await page.getByRole('menuitem', { name }).click();
    };
    await visit('#/machines/default');
    await choose('Change its sizes …');
    await page.getByRole('textbox', { name: 'Disk' }).fill('20 GB');
    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByText('A disk only grows: 64 GB or more.').waitFor();
    await page.getByRole('textbox', { name: 'Disk' }).fill('80 GB');
    const fail = world.hold('changeMachine');
    await page.getByRole('button', { name: 'Change' }).click();
    fail(new DesktopError('no-space', 'There is no room for it on this computer.'));
    await page.getByRole('alert').getByText('There is no room for it').waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    const shares = page.getByRole('region', { name: 'Shared folders' });
    await shares.getByRole('button', { name: 'Do not share /Users/mara any more' }).click();
    await shares.getByRole('button', { name: 'Share a folder …' }).click();
    await page.getByRole('textbox', { name: 'Folder on this computer' }).fill('~/shop');
    await page.getByRole('checkbox', { name: 'Read-only' }).check();
    await page.getByRole('button', { name: 'Share it' }).click();
    await shares.getByText('~/shop:ro').waitFor();
    await choose('Pause');
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Stop' }).waitFor();
    expect(world.asked).toEqual([
      `resize default {"diskBytes":${80 * 2 ** 30}}`,
      'share default + -/Users/mara',
      'share default +~/shop:ro -',
      'pause default',
      'resume default',
    ]);
  });

  it('takes snapshots of a stopped machine, goes back to one and copies it', async () => {
    await using opened = await open({
      set: (world) => {
        workingDay(world);
        world.machines.set(machineRow({ name: 'build-box', state: 'stopped' }));
      },
    });
    const { page, world, visit } = opened;
    await visit('#/machines/build-box');
    const snapshots = page.getByRole('region', { name: 'Snapshots' });
    await snapshots.getByRole('button', { name: 'Take a snapshot …' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('good');
    await page.getByRole('button', { name: 'Take it' }).click();
    // The core's operation is what tells a page that the list is another one.
    await eventually(() => world.asked).toEqual(['takeSnapshot build-box good']);
    world.machines.set(
      machineRow({
        name: 'build-box',
        state: 'stopped',
        operation: operationRow({ verb: 'take-snapshot', state: 'done' }),
      }),
    );
    await snapshots.getByRole('button', { name: 'Roll back to good' }).click();
    const question = page.getByRole('alertdialog', { name: 'Roll back to good?' });
    await question.getByText('Everything that came since is lost').waitFor();
    await question.getByRole('button', { name: 'Roll back' }).click();
    await eventually(() => world.asked.at(-1)).toBe('restoreSnapshot build-box good');
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Clone …' }).click();
    await page.getByRole('button', { name: 'Clone', exact: true }).click();
    await eventually(() => world.asked.at(-1)).toBe('clone build-box build-box-copy');
  });

  it('says which ports are not open and what is wrong, and cleans up what machines left', async () => {
    await using opened = await open({
      set: (world) => {
        workingDay(world);
        examined(world);
        world.machineFacts.leftovers = [
          { title: 'half an import', sizeBytes: 3 * 2 ** 30, cost: 'its disk space' },
          { title: 'docker context "old"', sizeBytes: null, cost: null },
        ];
      },
    });
    const { page, world, visit } = opened;
    await visit('#/machines/default');
    const ports = page.getByRole('region', { name: 'Ports on this computer' });
    await ports.getByText('Port 6379 is in use on this computer.').waitFor();
    const health = page.getByRole('region', { name: 'Health' });
    await health.getByText('Machine default').waitFor();
    expect(await health.getByText('Driver virtualbox').count()).toBe(0);
    await visit('#/machines');
    await page.getByRole('button', { name: 'Import and clean up' }).click();
    await page.getByRole('menuitem', { name: 'Clean up …' }).click();
    await page.getByText('3 GB become free.').waitFor();
    await page.getByRole('checkbox', { name: 'docker context' }).uncheck();
    await page.getByRole('button', { name: 'Remove 1' }).click();
    await page.getByRole('alertdialog').waitFor({ state: 'detached' });
    expect(world.asked).toEqual(['removeLeftovers half an import']);
  });
});
