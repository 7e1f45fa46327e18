/** The page's own address: a scheme of ours instead of `file:`, so that the page has an origin and files are not within reach. */
export const pageScheme = 'skiff';
const pageHost = 'app';
export const pageOrigin = `${pageScheme}://${pageHost}`;
export const pageUrl = `${pageOrigin}/`;

/** Whether an address is the page's. Read by a real parser: `skiff://app.evil/` begins like ours. */
export function isPageUrl(address: string): boolean {
  const url = parse(address);
  return url !== null && url.protocol === `${pageScheme}:` && url.host === pageHost && url.username === '';
}

export function parse(address: string): URL | null {
  return URL.canParse(address) ? new URL(address) : null;
}
