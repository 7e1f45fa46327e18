/** A refusal as PowerShell gives it to scripts: the cmdlet's own part of FullyQualifiedErrorId, and a text in the user's language. */
export class Refusal extends Error {
  readonly id: string;

  constructor(id: string, message: string) {
    super(message);
    this.id = id;
  }
}

/** The class that a cmdlet is named after in an error's id: `Get-VM` is `GetVM`. */
export function errorId(refusal: Refusal, cmdlet: string): string {
  return `${refusal.id},Microsoft.HyperV.PowerShell.Commands.${cmdlet.replace('-', '')}`;
}

export const invalidState = (name: string): Refusal =>
  new Refusal(
    'InvalidState',
    `'${name}' failed to change state. The operation cannot be performed while the object is in its current state.`,
  );
