/** What a person sees who is not let in: what is wrong, and what to do about it. */

export interface RefusalPage {
  readonly statusCode: number;
  readonly title: string;
  readonly text: string;
}

const howToGetIn = 'Start Skiff again to get a new address.';

export const refusalPages = {
  tokenUsed: {
    statusCode: 403,
    title: 'This address has been used',
    text: `An address of Skiff opens one browser, once. If it was not you who used it, close Skiff now. ${howToGetIn}`,
  },
  unknownBrowser: {
    statusCode: 401,
    title: 'This browser is not known to Skiff',
    text: `Open the address that Skiff printed when it started. ${howToGetIn}`,
  },
  wrongHost: {
    statusCode: 421,
    title: 'This is not the address of Skiff',
    text: 'Skiff answers on the address that it printed, letter for letter, and on no other.',
  },
  wrongOrigin: {
    statusCode: 403,
    title: 'Another page asked',
    text: 'Skiff answers its own page and no other.',
  },
  wrongMethod: { statusCode: 405, title: 'Not understood', text: 'Pages are read with GET or HEAD.' },
  notFound: { statusCode: 404, title: 'Not found', text: 'Skiff has no such page.' },
  tooMany: { statusCode: 503, title: 'Too many pages', text: 'Close some of the pages of Skiff that are open.' },
} as const satisfies Record<string, RefusalPage>;

/** Holds nothing of the request, so there is nothing to escape. */
export function htmlOf({ title, text }: RefusalPage): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Skiff</title>
<style>body { font: 1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto; padding: 0 1.5rem }</style>
<h1>${title}</h1>
<p>${text}</p>
</html>
`;
}
