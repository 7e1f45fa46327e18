import { flag } from './flags/flag.ts';

/** What stands before the verb. */
export const globalFlags = {
  context: flag.text({ short: 'c', help: 'Name of the context to use (env SKIFF_CONTEXT)', offers: 'context' }),
  debug: flag.switch({ short: 'D', help: 'Show the whole story of an error' }),
  host: flag.text({ short: 'H', help: 'Where the engine listens: unix:///path, tcp://host:port (env SKIFF_HOST)' }),
  machine: flag.text({
    short: 'm',
    help: 'Machine whose engine is meant (env SKIFF_MACHINE, default "default")',
    placeholder: 'name',
    offers: 'machine',
  }),
  tls: flag.switch({ help: 'Use TLS for tcp:// hosts; implied by --tlsverify' }),
  tlscacert: flag.text({ help: 'Trust certs signed only by this CA', offers: 'file' }),
  tlscert: flag.text({ help: 'Path to TLS certificate file', offers: 'file' }),
  tlskey: flag.text({ help: 'Path to TLS key file', offers: 'file' }),
  tlsverify: flag.switch({ help: 'Use TLS and verify the remote' }),
  version: flag.switch({ short: 'v', help: 'Print version information and quit' }),
};
