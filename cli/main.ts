/** What `skiff` runs. */
import { skiffProcess } from './skiff-process.ts';

skiffProcess(process.argv.slice(2));
