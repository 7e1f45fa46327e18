import { ContextStore, defaultContext } from '../../contexts/store.ts';
import { machineHost } from '../../engine-door.ts';
import { flag } from '../../flags/flag.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import type { RowFormat } from '../../formats/rows.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

type ContextField = 'Current' | 'Description' | 'DockerEndpoint' | 'Error' | 'Name';

const contextFormat: RowFormat<ContextField> = {
  titles: { Current: 'CURRENT', Description: 'DESCRIPTION', DockerEndpoint: 'DOCKER ENDPOINT', Error: 'ERROR', Name: 'NAME' },
  table: ['Name', 'Description', 'DockerEndpoint', 'Error'],
  quiet: 'Name',
}; // prettier-ignore

export const ls = defineVerb({
  usage: '[OPTIONS]',
  summary: 'List contexts',
  flags: {
    format: flag.text({ help: formatHelp }),
    quiet: flag.switch({ short: 'q', help: 'Only show context names' }),
  },
  max: 0,
  async run({ flags: { format, quiet }, context }) {
    const stored = new ContextStore(context.environment).list().map(({ name, description, host }) => ({
      name,
      description,
      host,
      error: '',
    }));
    const own = { name: defaultContext, description: 'Machine "default"', host: machineHost('default', context.environment), error: '' };
    const all = [...stored, own];
    if (!all.some(({ name }) => name === context.contextName)) {
      all.push({ name: context.contextName, description: '', host: '', error: `context "${context.contextName}" is not there` });
    }
    all.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
    const isTable = !quiet && (format === undefined || format === 'table');
    const rows = all.map(({ name, description, host, error }) => {
      const isCurrent = name === context.contextName;
      return {
        Current: String(isCurrent),
        Description: description,
        DockerEndpoint: host,
        Error: error,
        Name: isTable && isCurrent ? `${name} *` : name,
      };
    });
    await writeLines(context.stdout, rowLines(contextFormat, rows, { isQuiet: quiet, format }));
    return 0;
  },
}); // prettier-ignore
