import { createHash } from 'node:crypto';
import { encodeEntry, endOfArchive } from '../../../api/tar/writer.ts';
import { api, docker, events, topic } from '../step.ts';

const file = (name: string, content: string): Buffer =>
  encodeEntry({ kind: 'file', name: Buffer.from(name) }, Buffer.from(content));
/** As text, which the standard input of a step is. */
const tar = (...files: readonly Buffer[]): string => Buffer.concat([...files, endOfArchive]).toString('latin1');

/** One for each topic: they are played side by side, and a layer that two have is removed with the last. */
const rootOf = (name: string): string => tar(file('hello', `world of ${name}\n`));
const layer = tar(file('loaded', 'from an archive\n'));
const digest = createHash('sha256').update(layer, 'latin1').digest('hex');
const config = JSON.stringify({
  os: 'linux',
  architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
  created: '2024-01-02T03:04:05Z',
  config: { Cmd: ['x'], Labels: { l: 'v' } },
  history: [{ created: '2024-01-02T03:04:05Z', created_by: 'by hand', comment: 'a comment' }],
  rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
});

/** docker's form; `change` replaces its manifest. */
function archive(names: readonly string[], change: Readonly<Record<string, unknown>> = {}): string {
  const manifest = [{ Config: 'config.json', RepoTags: names, Layers: ['layer.tar'], ...change }];
  return tar(file('config.json', config), file('layer.tar', layer), file('manifest.json', JSON.stringify(manifest)));
}

const platform = (architecture: string): string => encodeURIComponent(JSON.stringify({ os: 'linux', architecture }));
const list = 'images --filter reference=@* --format "{{.Repository}} {{.Tag}} {{.ID}}"';

export const images = [
  topic(
    'imgs-list',
    docker('import - @a:1', { input: rootOf('imgs-list') }),
    docker('tag @a:1 @a:2'),
    docker('tag @a:1 @b'),
    docker(list, { isUnordered: true }),
    docker('images -q @a'),
    docker('images @nosuch'),
    docker('images --filter reference=@a:* --filter dangling=false --format "{{.Tag}}"', { isUnordered: true }),
    docker('images --filter nosuch=1'),
    docker('images --filter since=@nosuch'),
    docker('images --filter until=x'),
    docker('image inspect @a:1'),
    docker('image inspect @nosuch'),
    docker('history --no-trunc @a:1'),
    docker('history @nosuch'),
    docker('tag @nosuch x'),
    docker('tag @a:1 UPPER'),
    docker('tag @a:1 @c:bad!tag'),
    api('GET', '/images/json?filters={"reference":["imgs-list-a"]}'),
    api('GET', '/v1.43/images/json?filters={"reference":["imgs-list-a"]}'),
    api('GET', '/v1.42/images/json?filters={"reference":["imgs-list-a"]}'),
    api('GET', '/images/json?shared-size=1&filters={"reference":["imgs-list-a"]}'),
    api('GET', '/images/json?filters={"dangling":["maybe"]}'),
    api('GET', '/images/json?filters={"nosuch":["1"]}'),
    api('GET', '/v1.44/images/imgs-list-a:1/json'),
    api('GET', '/v1.45/images/imgs-list-a:1/json'),
    api('GET', `/images/imgs-list-a:1/json?manifests=1&platform=${platform('amd64')}`),
    api('GET', `/images/imgs-list-a:1/json?platform=${platform('s390x')}`),
    api('GET', '/images/imgs-list-a:1/json?platform=x'),
    api('GET', `/images/imgs-list-a:1/history?platform=${platform('s390x')}`),
    api('GET', '/images/imgs-list-a:1/history'),
    api(
      'POST',
      '/images/imgs-list-a:1/tag?repo=a@sha256:0000000000000000000000000000000000000000000000000000000000000000',
    ),
    docker('rmi @a:1 @a:2 @b'),
    events('type=image', 'image=@a:1', 'image=@b:2', 'image=@c:1'),
  ),
  topic(
    'imgs-remove',
    docker('import -c "LABEL of=imgs-remove" - @a:1', { input: rootOf('imgs-remove') }),
    docker('create --name @c @a:1 x'),
    docker('commit @c @child:1'),
    docker('rmi @a:1'),
    docker('rmi -f @a:1'),
    docker('rmi @child:1'),
    docker('rm @c'),
    docker('image prune -f --filter label=of=imgs-remove', { isUnordered: true }),
    docker('import -c "LABEL of=imgs-remove" - @a:1', { input: rootOf('imgs-remove') }),
    docker('tag @a:1 @a:2'),
    docker('tag @a:1 @other:1'),
    docker('rmi @a:1 @nosuch @other:1'),
    docker('rmi -f @nosuch'),
    docker('rmi UPPER'),
    docker('rmi @a:2'),
    api('DELETE', '/images/imgs-remove-nosuch'),
    api('DELETE', '/images/hello?platforms=x'),
    api('POST', '/images/prune?filters={"x":["y"]}'),
    api('POST', '/images/prune?filters={"dangling":["maybe"]}'),
    api('POST', '/images/prune?filters={"label":["nosuch"]}'),
    docker('image prune -a -f --filter label=of=imgs-remove', { isUnordered: true }),
    events('type=image', 'image=@a:1', 'image=@b:2', 'image=@c:1'),
  ),
  topic(
    'imgs-load',
    docker('load', { input: archive(['imgs-load-a:1', 'imgs-load-b:2']) }),
    docker('load -q', { input: archive(['imgs-load-a:1']) }),
    docker('image inspect @a:1'),
    docker('history --no-trunc @b:2'),
    docker('save -o /tmp/nowhere-to-be.tar @nosuch'),
    docker('save -o /tmp/nowhere/to-be.tar @a:1'),
    docker('save --platform nonsense -o /tmp/nowhere-to-be.tar @a:1'),
    docker('save --platform linux/s390x -o /tmp/nowhere-to-be.tar @a:1'),
    docker('load', { input: 'no archive' }),
    docker('load', { input: tar(file('x', 'y')) }),
    docker('load', { input: archive(['imgs-load-a:1']).slice(0, 3000) }),
    docker('load', { input: archive(['BAD']) }),
    docker('load', { input: archive(['imgs-load-x:1'], { Config: 'nosuch' }) }),
    docker('load', { input: archive(['imgs-load-x:1'], { Layers: [] }) }),
    api('GET', '/images/nosuch/get'),
    docker('rmi @a:1 @b:2'),
    events('type=image', 'image=@a:1', 'image=@b:2', 'image=@c:1'),
  ),
  topic(
    'imgs-make',
    docker('import - @a:1', { input: rootOf('imgs-make') }),
    docker('import -m "a message" -c "CMD x y" -c "ENV A=b" -c "EXPOSE 80" -c "USER me" - @a:2', {
      input: rootOf('imgs-make'),
    }),
    docker('image inspect --format "{{json .Config}} {{.Comment}} {{.Architecture}} {{.Os}}" @a:1 @a:2'),
    docker('history --format "{{.CreatedBy}}|{{.Comment}}|{{.Size}}" @a:2'),
    docker('import -c "FROM x" - @a:3', { input: rootOf('imgs-make') }),
    docker('import -c "CMD" - @a:3', { input: rootOf('imgs-make') }),
    docker('import - UPPER', { input: rootOf('imgs-make') }),
    docker('import --platform linux/s390x - @far', { input: rootOf('imgs-make') }),
    docker('import --platform windows/amd64 - @win', { input: rootOf('imgs-make') }),
    docker('import - @broken', { input: 'this is no tar at all, and it is not even a block long' }),
    docker('import /nosuch/file.tar'),
    docker('image inspect --format "{{.Architecture}}" @far'),
    docker('run --name @c box sh -c "echo 1 > /one; rm /etc/group"'),
    docker('commit -m text -a me -c "LABEL k=v" @c @d:1'),
    docker('history --format "{{.CreatedBy}}|{{.Comment}}|{{.Size}}" @d:1'),
    docker('image inspect --format "{{json .Config.Labels}} {{.Author}} {{.Comment}} {{len .RootFS.Layers}}" @d:1'),
    docker('run --rm @d:1 ls /one /etc'),
    docker('create --name @e box true'),
    docker('commit @e @same:1'),
    docker('image inspect --format "{{len .RootFS.Layers}}" @same:1'),
    docker('history --format "{{.CreatedBy}}|{{.Comment}}|{{.Size}}" @same:1'),
    docker('commit @nosuch'),
    docker('commit -c "RUN x" @c'),
    docker('commit @c BAD'),
    docker('rm @c @e'),
    docker('rmi @a:1 @a:2 @far @d:1 @same:1'),
    events('type=image', 'image=@a:1', 'image=@b:2', 'image=@c:1'),
  ),
];
