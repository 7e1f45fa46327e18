import { expect, it } from 'vitest';
import { parseTemplate, templateFields } from './template.ts';

const data = {
  Name: '/web',
  State: { Status: 'running', ExitCode: 0, Error: '' },
  Args: ['a', 'b c'],
  Labels: { z: '1', a: '2' },
  Ports: { '80/tcp': [{ HostPort: '8080' }] },
  Nothing: null,
};

it.each([
  ['plain', 'plain'],
  ['{{.Name}}', '/web'],
  ['{{ .State.Status }}: {{.State.ExitCode}}', 'running: 0'],
  ['{{.Args}}', '[a b c]'],
  ['{{.Labels}}', 'map[a:2 z:1]'],
  ['{{.Nothing}}', '<no value>'],
  ['{{json .Args}}', '["a","b c"]'],
  ['{{json .State}}', '{"Status":"running","ExitCode":0,"Error":""}'],
  ['{{join .Args ", "}}', 'a, b c'],
  ['{{.Name | upper | json}}', '"/WEB"'],
  ['{{index .Ports "80/tcp"}}', '[map[HostPort:8080]]'],
  ['{{index .Args 1}}', 'b c'],
  ['{{len .Args}} {{len .Name}}', '2 4'],
  ['{{split .Name "e" | json}}', '["/w","b"]'],
  ['{{println .Name}}', '/web\n'],
  ['a\\tb\\nc', 'a\tb\nc'],
  ['{{"literal"}}{{`raw "x"`}}', 'literalraw "x"'],
  ['{{truncate .Name 2}}', '/w'],
])('%s', (template, text) => expect(parseTemplate(template)(data)).toBe(text));

it.each([
  ['{{.Name', /unclosed action/],
  ['{{}}', /missing value/],
  ['{{range .Args}}{{.}}{{end}}', /"range" in {{range .Args}} is not supported yet/],
  ['{{bogus .Name}}', /"bogus" in {{bogus .Name}} is not understood/],
  ['{{$x}}', /"\$x" in {{\$x}} is not understood/],
  ['{{.Name upper}}', /"upper" in .* is not understood/],
  ['{{.Name .Args}}', /only a function takes values/],
  ['{{.State.Bogus}}', /no field Bogus; there are: Error, ExitCode, Status/],
  ['{{.Name.Bogus}}', /no field Bogus$/],
])('refuses %s', (template, message) => expect(() => parseTemplate(template)(data)).toThrow(message));

it('finds the fields that a template names', () =>
  expect(templateFields('x {{.ID}}\\t{{json .Names}} {{upper "a"}}')).toEqual(['ID', 'Names']));
