import { expect, test } from 'vitest';
import { instructionText } from './instruction.ts';

test.each([
  ['/bin/sh -c #(nop)  CMD ["nginx"]', 'CMD ["nginx"]'],
  ['/bin/sh -c apt-get update', 'RUN apt-get update'],
  ['RUN /bin/sh -c make   all # buildkit', 'RUN make all'],
  ['COPY . /app # buildkit', 'COPY . /app'],
  ['', ''],
])('%j is %j', (written, shown) => expect(instructionText(written)).toBe(shown));
