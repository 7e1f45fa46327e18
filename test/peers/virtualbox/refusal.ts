/** A refusal in VBoxManage's own form: the text, and the result code that programs look at. */
export class Refusal extends Error {
  readonly result: string | null;
  readonly exitCode: number;

  constructor(message: string, result: string | null = null, exitCode = 1) {
    super(message);
    this.result = result;
    this.exitCode = exitCode;
  }

  get text(): string {
    const code = this.result === null ? null : (codes[this.result] ?? '0x80004005');
    const details =
      code === null
        ? ''
        : `VBoxManage: error: Details: code ${this.result} (${code}), component MachineWrap, interface IMachine, callee nsISupports\n`;
    return `VBoxManage: error: ${this.message}\n${details}`;
  }
}

const codes: Readonly<Record<string, string>> = {
  VBOX_E_OBJECT_NOT_FOUND: '0x80bb0001',
  VBOX_E_INVALID_VM_STATE: '0x80bb0002',
  VBOX_E_FILE_ERROR: '0x80bb0004',
  VBOX_E_INVALID_OBJECT_STATE: '0x80bb0007',
  VBOX_E_OBJECT_IN_USE: '0x80bb000c',
};

export const syntaxRefusal = (message: string): Refusal => new Refusal(message, null, 2);

/** Options as VBoxManage reads them; one that the verb does not have is refused. `names` says how many values each takes. */
export function readOptions(
  args: readonly string[],
  names: Readonly<Record<string, number>>,
): { readonly option: string; readonly values: readonly string[] }[] {
  const found: { option: string; values: readonly string[] }[] = [];
  for (let at = 0; at < args.length;) {
    const option = args[at] ?? '';
    const count = Object.hasOwn(names, option) ? names[option] : undefined;
    if (count === undefined) throw syntaxRefusal(`Unknown option: ${option}`);
    const values = args.slice(at + 1, at + 1 + count);
    if (values.length < count) throw syntaxRefusal(`Option '${option}' is missing a required argument`);
    found.push({ option, values });
    at += 1 + count;
  }
  return found;
}
