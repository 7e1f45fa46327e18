/**
 * Every difference between skiffd and dockerd 28 that is meant, or not mended yet. One that no longer exists fails the
 * suite, so that this list stays true; docs/compatibility.md shows it to users.
 */
export interface KnownDifference {
  /** Topic and step, as the test names them; a text that both together must contain, or a pattern. */
  readonly where: string | RegExp;
  /** The beginning of the differing place: `body.Config.Image`, `stderr`. */
  readonly place: string;
  readonly reason: string;
}

export const knownDifferences: readonly KnownDifference[] = [
  { where: 'rim: GET /v1.99/', place: 'body.message', reason: 'skiffd speaks newer versions of the API' },
  {
    where: 'rim: GET /v1.12/',
    place: '',
    reason: 'the oldest version is 1.40, as in dockerd 29; errors are always JSON',
  },
  { where: 'rim: docker version', place: 'stdout', reason: 'the oldest version is 1.40, as in dockerd 29' },
  {
    where: /broken|"not json"/,
    place: 'body.message',
    reason: 'skiffd says where broken JSON is broken, in its own parser’s words',
  },
  {
    where: /limit=x|since=x|resize\?h=x/,
    place: '',
    reason:
      'what is no number is a bad request (400) that names the parameter; dockerd shows its parser’s error, at times as 500',
  },
  {
    where: /exits: docker run --rm box (nosuch|\/etc)/,
    place: 'stderr',
    reason: 'the runtime is crun: between the daemon’s and the kernel’s words stand its own, not runc’s',
  },
  {
    where: 'exits: docker run --rm nosuchimage:1 --pull never',
    place: 'stderr',
    reason: 'the registry cannot be reached here; dockerd quotes its resolver',
  },
  {
    where: /^(life|exec): events/,
    place: 'events',
    reason: 'dockerd tells `stop` before the `die` that it caused, skiffd when the container has ended',
  },
  { where: 'cat /etc/resolv.conf', place: 'stdout', reason: 'comments in the file are the engine’s own' },
  {
    where: 'inspect --format {{json .NetworkSettings.Networks}}',
    place: 'stdout.@sub',
    reason: 'an endpoint without aliases or options shows null; dockerd shows what an empty list of the client became',
  },
  {
    where: 'volume-subpath=nosuch',
    place: 'stderr',
    reason: 'dockerd names the system call that failed',
  },
  { where: 'cp: GET /containers/@a/archive', place: 'body.message', reason: 'dockerd forgets a space' },
  { where: 'ls /dev', place: 'stdout', reason: 'crun makes /dev/core, a link into /proc, where nothing is behind it' },
  {
    where: '--network host --sysctl net.',
    place: 'stderr',
    reason: 'skiffd says it before it asks the runtime; the words are the same',
  },
  {
    where: 'rim: POST /containers/nosuch/kill?signal=NOSUCH',
    place: '',
    reason: 'of two mistakes skiffd names the unknown container first, dockerd the unknown signal',
  },
  {
    where: 'life: POST /containers/@web/attach',
    place: '',
    reason: 'an error before a stream begins is JSON like any other; dockerd writes it as the stream’s text',
  },
  {
    where: /registries: (docker search|GET \/images\/search\?term=%)/,
    place: '',
    reason: 'a registry without an index is asked for the names of its repositories; dockerd fails',
  },
  {
    where: /registries: (GET \/distribution|POST \/images\/create\?fromImage=|docker pull )\S*%guarded%/,
    place: '',
    reason: 'skiffd asks for a manifest with GET, dockerd with HEAD first: the error names the request',
  },
  {
    where: 'registries: POST /auth {"username":"ada","password":"wrong"',
    place: 'status',
    reason:
      'wrong credentials are 401, as the API’s description has it; dockerd says 500 for registries without tokens',
  },
  {
    where: 'registries: POST /images/%guarded%/@team/push',
    place: 'body',
    reason: 'skiffd meets the registry before it lists the layers',
  },
  {
    where: /^imgs-(list|load): docker image inspect/,
    place: 'stdout[0].DockerVersion',
    reason: 'the version of the engine that made the image',
  },
  {
    where: /^imgs-(list|load): docker image inspect/,
    place: 'stdout[0].GraphDriver.Data',
    reason: 'an image is not mounted: it has folders of layers, and none to work in',
  },
  {
    where: /^imgs-(list|load): GET .*json$/,
    place: 'body.DockerVersion',
    reason: 'the version of the engine that made the image',
  },
  {
    where: /^imgs-(list|load): GET .*json$/,
    place: 'body.GraphDriver.Data',
    reason: 'an image is not mounted: it has folders of layers, and none to work in',
  },
  {
    where: /platforms?=x$/,
    place: 'body.message',
    reason: 'skiffd says where broken JSON is broken, in its own parser’s words',
  },
  {
    where: 'imgs-load: docker load',
    place: 'stderr',
    reason: 'what is wrong with an archive is told with a status, and where; dockerd quotes its temporary files',
  },
  {
    where: 'imgs-make: docker import - @broken',
    place: 'stderr',
    reason: 'skiffd says where the archive is broken',
  },
];
