import { en, type Text } from './en.ts';

/** The language in use. English is the only one yet. */
export const text: Text = en;
