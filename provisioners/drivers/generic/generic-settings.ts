import { driverSettings } from '../../settings/driver-settings.ts';
import { setting } from '../../settings/setting.ts';
import { shareSetting } from '../../shares/share-setting.ts';

/** docker-machine's flags and variables, and what it lacked. */
export const genericSettings = driverSettings({
  ipAddress: setting.required({
    flag: 'generic-ip-address',
    title: 'Address',
    help: 'Address or name of the host, or an alias of your SSH configuration',
    environment: ['GENERIC_IP_ADDRESS'],
  }),
  sshUser: setting.optional({
    flag: 'generic-ssh-user',
    isAdvanced: false,
    title: 'User',
    help: 'User to log in as (default: as your SSH configuration says, else root)',
    environment: ['GENERIC_SSH_USER'],
  }),
  sshPort: setting.optionalInteger({
    flag: 'generic-ssh-port',
    title: 'Port',
    help: 'Port of its SSH server (default: as your SSH configuration says, else 22)',
    environment: ['GENERIC_SSH_PORT'],
    least: 1,
    most: 65_535,
  }),
  sshKey: setting.optional({
    kind: 'path',
    flag: 'generic-ssh-key',
    isAdvanced: false,
    title: 'Private key',
    help: 'Private key to log in with the first time (default: the SSH agent and your usual keys)',
    environment: ['GENERIC_SSH_KEY'],
  }),
  sshPassphrase: setting.secret({
    flag: 'generic-ssh-passphrase',
    title: 'Passphrase of the key',
    help: 'Passphrase of that key',
    environment: ['GENERIC_SSH_PASSPHRASE'],
  }),
  sshPassword: setting.secret({
    flag: 'generic-ssh-password',
    isAdvanced: false,
    title: 'Password',
    help: 'Password to log in with the first time',
    environment: ['GENERIC_SSH_PASSWORD'],
  }),
  hostKey: setting.optional({
    flag: 'generic-host-key',
    title: 'Host key',
    help: 'Fingerprint of its host key (SHA256:...) when your known_hosts do not hold it; accept-new takes any',
    environment: ['GENERIC_HOST_KEY'],
  }),
  jumps: setting.list({
    flag: 'generic-jump',
    title: 'Hosts on the way',
    help: 'Host to go through, user@host:port; may be repeated',
    environment: ['GENERIC_JUMP'],
  }),
  sudoPassword: setting.secret({
    flag: 'sudo-password',
    isLasting: true,
    isAdvanced: false,
    title: 'Password for sudo',
    help: 'Password that sudo asks for there; better given by the environment, where other users cannot read it',
    environment: ['SKIFF_SUDO_PASSWORD'],
  }),
  isAdopting: setting.switch({
    flag: 'generic-adopt',
    title: 'Take over',
    help: 'Take over the engine that another Skiff brought to that host; that one loses it',
  }),
  shares: shareSetting('nothing'),
  prefix: setting.optional({
    kind: 'path',
    flag: 'generic-prefix',
    title: 'Folder',
    help: 'Folder there below which all of the engine lies, started by Skiff alone (default: /, started at boot)',
    environment: ['GENERIC_PREFIX'],
  }),
});

export type GenericSettings = ReturnType<typeof genericSettings.resolve>;
