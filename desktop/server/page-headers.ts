/** What every answer that a page is made of carries, here and in Electron: the page may load its own files and nothing else. */

/** `link`: where the page's WebSocket goes, which `'self'` does not cover in every browser; null where there is none. */
function contentSecurityPolicy(link: string | null): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    // Components set style attributes, and terminals make style elements; neither can run anything.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self'${link === null ? '' : ` ${link}`}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

export function pageHeaders(link: string | null): Readonly<Record<string, string>> {
  return {
    'Content-Security-Policy': contentSecurityPolicy(link),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    'Cache-Control': 'no-store',
  };
}
