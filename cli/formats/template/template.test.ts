import { expect, it } from 'vitest';
import { parseRowTemplate, parseTemplate } from './template.ts';
import { ExactNumber } from './values.ts';

const data = {
  Id: 'abc',
  Name: '/web',
  State: { Status: 'running', ExitCode: 0, Error: '' },
  Args: ['a', 'b c'],
  Labels: { z: '1', a: '2' },
  Ports: { '80/tcp': [{ HostPort: '8080' }] },
  HostConfig: { Binds: null, NanoCpus: 5 },
  Nothing: null,
  Size: 1.5,
  Nanos: new ExactNumber('1795263540123456789'),
  Label: (key: string) => `<${key}>`,
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
  ['{{(index (index .Ports "80/tcp") 0).HostPort}}', '8080'],
  ['{{index .Args 1}} {{index .Name 1}} {{index .Labels "no"}}|', 'b c 119 |'],
  ['{{len .Args}} {{len .Name}}', '2 4'],
  ['{{split .Name "e" | json}}', '["/w","b"]'],
  ['{{println .Name}}', '/web\n'],
  ['a\\tb\\nc', 'a\\tb\\nc'],
  ['{{"literal"}}{{`raw "x"`}}{{"\\x41\\t"}}', 'literalraw "x"A\t'],
  ['{{truncate .Name 2}}|{{pad .Name 1 2}}|{{title "a-b c"}}', '/w| /web  |A-B C'],
  ['{{if .State.Error}}bad{{else if .Name}}good{{else}}none{{end}}', 'good'],
  ['{{if and .Name (not .State.Error)}}yes{{end}}', 'yes'],
  ['{{or .State.Error "none"}}', 'none'],
  ['{{if .State.Health}}{{.State.Health.Status}}{{end}}', ''],
  ['{{with .State.Health}}{{.Status}}{{else}}no health{{end}}', 'no health'],
  ['{{range .Args}}[{{.}}]{{end}}', '[a][b c]'],
  ['{{range $i, $a := .Args}}{{$i}}={{$a}};{{end}}', '0=a;1=b c;'],
  ['{{range $k, $v := .Labels}}{{$k}}:{{$v}} {{end}}', 'a:2 z:1 '],
  ['{{range $p, $b := .Ports}}{{$p}} -> {{(index $b 0).HostPort}} of {{$.Name}}{{end}}', '80/tcp -> 8080 of /web'],
  ['{{range .HostConfig.Binds}}x{{else}}none{{end}}', 'none'],
  ['{{range .Args}}{{if eq . "b c"}}{{break}}{{end}}{{.}}{{end}}', 'a'],
  ['{{range 3}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}', '02'],
  ['{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}', '2'],
  ['{{with $n := .Name}}{{$n}}{{end}}', '/web'],
  ['{{.HostConfig.Binds}} {{json .HostConfig.Binds}} {{.HostConfig.PidsLimit}} {{.HostConfig.Memory}}', '[] null <nil> 0'],
  ['{{.ID}} {{.HostConfig.NanoCPUs}}', 'abc 5'],
  ['{{eq .State.Status "exited" "running"}} {{ne 1 2}} {{lt 1 2}} {{ge "a" "b"}}', 'true true true false'],
  ['{{printf "%-6s|%5d|%.1f|%q|%v|%05d|%t|%x|%%" .Name 3 .Size "q" .Args 42 true 255}}', '/web  |    3|1.5|"q"|[a b c]|00042|true|ff|%'],
  ['{{printf "%d %d" "x"}} {{printf "a" 1}}', '%!d(string=x) %!d(MISSING) a%!(EXTRA int=1)'],
  ['{{print 1 2 "a" 3}} {{slice .Name 1 3}}', '1 2a3 we'],
  ["{{'a'}} {{1e3}} {{0x10}} {{-1.5}} {{true}}", '97 1000 16 -1.5 true'],
  ['a {{- .Name -}} b{{/* nothing */}}', 'a/webb'],
  ['{{.Nanos}} {{json .Nanos}}', '1795263540123456789 1795263540123456789'],
  ['{{.Label "x"}} {{html "<a>"}} {{urlquery "a b&"}}', '<x> &lt;a&gt; a+b%26'],
])('%s', (template, text) => expect(parseTemplate(template)(data)).toBe(text)); // prettier-ignore

it.each([
  ['{{.Name', ':1: unclosed action'],
  ['{{}}', ':1: missing value for command'],
  ['{{if}}a{{end}}', ':1: missing value for if'],
  ['{{range .Args}}', ':1: unexpected EOF'],
  ['\n{{end}}', ':2: unexpected {{end}}'],
  ['{{break}}', ':1: {{break}} outside {{range}}'],
  ['{{bogus .Name}}', ':1: function "bogus" not defined'],
  ['{{$x}}', ':1: undefined variable "$x"'],
  ['{{"a}}', ':1: unterminated quoted string'],
  ['{{ /* c */ }}', ':1: unexpected "/" in command'],
  ['{{1 | 2}}', ':1: non executable command in pipeline stage 2'],
  ['{{define "x"}}{{end}}', ':1: {{define}} is not supported: a format is one template'],
  ['{{.Name upper}}', ':1:8: executing "" at <upper>: wrong number of args for upper: want 1 got 0'],
  ['{{.Name .Args}}', ':1:2: executing "" at <.Name>: Name has arguments but cannot be invoked as function'],
  ['{{"a" "b"}}', ':1:2: executing "" at <"a">: can\'t give argument to non-function "a"'],
  ['{{.Bogus}}', ':1:2: executing "" at <.Bogus>: map has no entry for key "Bogus"; there are: Args, HostConfig, Id, Label, Labels, Name, Nanos, Nothing, Ports, Size, State'],
  ['{{.Nmae}}', ':1:2: executing "" at <.Nmae>: map has no entry for key "Nmae"; did you mean .Name?'],
  ['{{.Name.Bogus}}', ':1:7: executing "" at <.Name.Bogus>: can\'t evaluate field Bogus in type string'],
  ['{{len .State.ExitCode}}', ':1:2: executing "" at <len .State.ExitCode>: error calling len: len of type int'],
  ['{{index .Args 5}}', ':1:2: executing "" at <index .Args 5>: error calling index: index out of range: 5'],
  ['{{eq .Name 1}}', ':1:2: executing "" at <eq .Name 1>: error calling eq: incompatible types for comparison'],
  ['{{nil}}', ':1:2: executing "" at <nil>: nil is not a command'],
])('refuses %s', (template, message) =>
  expect(() => parseTemplate(template)(data)).toThrow(
    expect.objectContaining({ message: `template parsing error: template: ${message}` }),
  ),
); // prettier-ignore

it('gives the header of a table, whatever is done to the values', () => {
  const header = parseRowTemplate('{{.ID | lower}}\\t{{if .Names}}{{json .Names}}{{end}}').header({
    ID: 'ID',
    Names: 'NAMES',
  });
  expect(header).toBe('ID\tNAMES');
});
