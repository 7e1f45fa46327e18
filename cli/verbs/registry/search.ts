import type { SearchResult } from '../../../api/registries.ts';
import { loginFor } from '../../login-for.ts';
import { filterFlag } from '../../flags/filters.ts';
import { flag } from '../../flags/flag.ts';
import { rowLines } from '../../formats/rows.ts';
import type { RowFormat } from '../../formats/rows.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

type SearchField = 'Description' | 'IsOfficial' | 'Name' | 'StarCount';

const searchFormat: RowFormat<SearchField> = {
  titles: { Description: 'DESCRIPTION', IsOfficial: 'OFFICIAL', Name: 'NAME', StarCount: 'STARS' },
  table: ['Name', 'Description', 'StarCount', 'IsOfficial'],
  quiet: 'Name',
};

const shortDescription = 45;

export const search = defineVerb({
  usage: '[OPTIONS] TERM',
  summary: 'Search Docker Hub for images',
  flags: {
    filter: filterFlag('Filter output based on conditions provided'),
    format: flag.text({ help: 'Pretty-print search using a Go template' }),
    limit: flag.integer({ help: 'Max number of search results' }),
    noTrunc: flag.switch({ help: "Don't truncate output" }),
  },
  min: 1,
  max: 1,
  async run({ flags: { filter, format, limit, noTrunc }, args: [term = ''], context }) {
    const slash = term.indexOf('/');
    const first = slash < 0 ? '' : term.slice(0, slash);
    const auth = await loginFor(context, /[.:]/.test(first) || first === 'localhost' ? first : 'docker.io');
    const found = await context.engine.registries.search(term, { auth, limit, filters: filter });
    const rows = found.map((result) => rowOf(result, noTrunc));
    await writeLines(context.stdout, rowLines(searchFormat, rows, { isQuiet: false, format }));
    return 0;
  },
});

function rowOf(result: SearchResult, isWhole: boolean): Readonly<Record<SearchField, string>> {
  const text = result.description.replaceAll(/[\n\r]/g, ' ');
  const letters = [...text];
  const isLong = !isWhole && letters.length > shortDescription;
  return {
    Description: isLong ? `${letters.slice(0, shortDescription - 1).join('')}…` : text,
    IsOfficial: result.is_official ? '[OK]' : '',
    Name: result.name,
    StarCount: String(result.star_count),
  };
}
