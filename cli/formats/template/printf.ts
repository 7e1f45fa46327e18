import { kindOf, printed } from './values.ts';

/** Go's fmt.Sprintf, for the verbs and flags that formats use. What does not fit is printed as Go prints it: `%!d(string=x)`. */
export function printf(format: string, values: readonly unknown[]): string {
  let next = 0;
  const text = format.replaceAll(
    /%([-+# 0]*)(\d+)?(?:\.(\d*))?([a-zA-Z%])|%$/g,
    (whole: string, flags = '', width = '', precision: string | undefined, verb = '') => {
      if (whole === '%') return '%!(NOVERB)';
      if (verb === '%') return '%';
      if (next >= values.length) return `%!${verb}(MISSING)`;
      const body = formatted(verb, values[next++], {
        flags,
        precision: precision === undefined ? null : Number(precision),
      });
      const isNumber = /^[-+]?\d/.test(body);
      if (flags.includes('-')) return body.padEnd(Number(width));
      return flags.includes('0') && isNumber ? zeroPadded(body, Number(width)) : body.padStart(Number(width));
    },
  );
  const extra = values.slice(next).map((value) => `${kindOf(value)}=${printed(value)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(', ')})`;
}

function zeroPadded(body: string, width: number): string {
  const sign = /^[-+]/.exec(body)?.[0] ?? '';
  return sign + body.slice(sign.length).padStart(width - sign.length, '0');
}

function formatted(
  verb: string,
  value: unknown,
  options: { readonly flags: string; readonly precision: number | null },
): string {
  const { flags, precision } = options;
  const wrong = `%!${verb}(${kindOf(value)}=${printed(value)})`;
  const signed = (text: string): string => (flags.includes('+') && !text.startsWith('-') ? `+${text}` : text);
  switch (verb) {
    case 'v':
      return printed(value);
    case 's': {
      const text = typeof value === 'number' || typeof value === 'boolean' ? wrong : printed(value);
      return precision === null ? text : [...text].slice(0, precision).join('');
    }
    case 'q':
      return typeof value === 'string' ? JSON.stringify(value) : wrong;
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong;
    case 'T':
      return kindOf(value);
    case 'd':
      return Number.isInteger(value) ? signed(String(value)) : wrong;
    case 'c':
      return Number.isInteger(value) ? String.fromCodePoint(Number(value)) : wrong;
    case 'x':
    case 'X': {
      const hex =
        typeof value === 'string'
          ? Buffer.from(value).toString('hex')
          : Number.isInteger(value)
            ? Number(value).toString(16)
            : wrong;
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'e':
    case 'f':
    case 'g':
      return typeof value === 'number' && !Number.isInteger(value) ? signed(decimal(verb, value, precision)) : wrong;
    default:
      return wrong;
  }
}

function decimal(verb: 'e' | 'f' | 'g', value: number, precision: number | null): string {
  if (verb === 'f') return value.toFixed(precision ?? 6);
  if (verb === 'e') return value.toExponential(precision ?? 6).replace(/e([-+])(\d)$/, 'e$10$2');
  return precision === null ? String(value) : String(Number(value.toPrecision(Math.max(1, precision))));
}
