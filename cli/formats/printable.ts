/** Text of others (names of files, instructions) on one line: nothing of it may move the cursor, break the line or colour what follows. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (sign) => `\\x${(sign.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`);
}

/** Cut to so many characters, the last of which then says that there is more. */
export function shortened(text: string, most: number): string {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, Math.max(0, most - 1)).join('')}…`;
}
