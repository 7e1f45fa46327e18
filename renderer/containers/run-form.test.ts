import { expect, test } from 'vitest';
import { dockerCommand, parseRunForm, splitCommand, type RunForm } from './run-form.ts';
import { randomNumbers } from '../lists/random-numbers.ts';

const form = (fields: Partial<RunForm>): RunForm => ({
  machine: 'default',
  image: 'busybox',
  name: '',
  ports: '',
  env: '',
  command: '',
  removeWhenDone: false,
  ...fields,
});

test('a full form becomes the request and the command that mean the same', () => {
  const parsed = parseRunForm(
    form({
      image: ' nginx:1.27 ',
      name: 'web',
      ports: '8080:80, 53:53/udp 443',
      env: 'MODE=a b\n\nEMPTY=\n',
      command: `sh -c 'echo "hi there"'`,
      removeWhenDone: true,
    }),
  );
  expect(parsed).toEqual({
    kind: 'ready',
    request: {
      machine: 'default',
      image: 'nginx:1.27',
      name: 'web',
      command: ['sh', '-c', 'echo "hi there"'],
      env: [
        { name: 'MODE', value: 'a b' },
        { name: 'EMPTY', value: '' },
      ],
      ports: [
        { containerPort: 80, hostPort: 8080, protocol: 'tcp' },
        { containerPort: 53, hostPort: 53, protocol: 'udp' },
        { containerPort: 443, hostPort: null, protocol: 'tcp' },
      ],
      removeWhenDone: true,
    },
  });
  expect(parsed.kind === 'ready' && dockerCommand(parsed.request)).toBe(
    `docker run --detach --rm --name web --publish 8080:80 --publish 53:53/udp --publish 443 --env 'MODE=a b' --env EMPTY= nginx:1.27 sh -c 'echo "hi there"'`,
  );
});

test.each([
  [{ image: ' ' }, { image: { kind: 'missing' } }],
  [{ image: 'x'.repeat(600) }, { image: { kind: 'bad-image' } }],
  [{ name: '-web' }, { name: { kind: 'bad-name' } }],
  [{ ports: '80:' }, { ports: { kind: 'bad-port', word: '80:' } }],
  [{ ports: '8080:80 70000:1' }, { ports: { kind: 'bad-port', word: '70000:1' } }],
  [{ ports: '0' }, { ports: { kind: 'bad-port', word: '0' } }],
  [{ ports: '80/icmp' }, { ports: { kind: 'bad-port', word: '80/icmp' } }],
  [{ env: 'A=1\nJUSTNAME' }, { env: { kind: 'bad-variable', word: 'JUSTNAME' } }],
  [{ env: '=value' }, { env: { kind: 'bad-variable', word: '=value' } }],
  [{ command: `echo "open` }, { command: { kind: 'open-quote' } }],
] as const)('%j names the field and what is wrong with it', (fields, problems) => {
  expect(parseRunForm(form(fields))).toEqual({ kind: 'problems', problems });
});

test.each([
  ['', []],
  ['  ls   -l ', ['ls', '-l']],
  [`a'b c'd`, ['ab cd']],
  [`''`, ['']],
  [`"a \\" b" \\'`, ['a " b', "'"]],
  [`'a\\b'`, ['a\\b']],
  [`"a\\nb"`, ['a\\nb']],
])('%j splits into %j', (line, words) => {
  expect(splitCommand(line)).toEqual({ value: words });
});

test('any words survive being quoted for the shown command and split again', () => {
  const letters = ['a', ' ', "'", '"', '\\', '$', 'ü', '\t', '*'];
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = randomNumbers(seed);
    const command = Array.from({ length: 1 + random(4) }, () =>
      Array.from({ length: random(6) }, () => letters[random(letters.length)]).join(''),
    );
    expect(splitCommand(dockerCommand({ machine: 'm', image: 'i', command })), `seed ${seed}`).toEqual({
      value: ['docker', 'run', '--detach', 'i', ...command],
    });
  }
});
