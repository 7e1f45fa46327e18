/**
 * The schema, as the steps that led to it. A step that has been released is never edited: a change is a new step at the end.
 * JSON columns hold objects of our own model (not Docker's wire shapes); columns of their own are those that are looked up.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT;

  CREATE TABLE containers (
    id     TEXT PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    image  TEXT NOT NULL,
    spec   TEXT NOT NULL, -- what it was created with; never changes but by update and rename
    state  TEXT NOT NULL  -- where it is in its life
  ) STRICT;
  CREATE INDEX containers_by_image ON containers(image);

  -- A row stands here while a step with effects outside the database is under way; boot replays or undoes what is left.
  CREATE TABLE intents (
    container TEXT PRIMARY KEY REFERENCES containers(id) ON DELETE CASCADE,
    verb      TEXT NOT NULL CHECK (verb IN ('create', 'start', 'remove')),
    detail    TEXT NOT NULL
  ) STRICT;

  CREATE TABLE layers (
    chain_id   TEXT PRIMARY KEY,
    diff_id    TEXT NOT NULL,
    parent     TEXT REFERENCES layers(chain_id),
    folder     TEXT NOT NULL UNIQUE, -- below <data root>/layers
    size_bytes INTEGER NOT NULL      -- of the files that this layer adds
  ) STRICT;

  CREATE TABLE images (
    id         TEXT PRIMARY KEY, -- digest of the config
    config     TEXT NOT NULL,    -- the config blob, byte for byte: its digest is the id
    top_layer  TEXT REFERENCES layers(chain_id),
    created_at TEXT NOT NULL     -- when it came into this store
  ) STRICT;

  CREATE TABLE tags (
    reference TEXT PRIMARY KEY, -- normalised: docker.io/library/hello:latest
    image     TEXT NOT NULL REFERENCES images(id),
    tagged_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX tags_by_image ON tags(image);
  `,
  `
  -- The layers that a container's root is made of: they stay while it is there, even when its image goes.
  CREATE TABLE roots (
    container TEXT PRIMARY KEY,
    top_layer TEXT REFERENCES layers(chain_id)
  ) STRICT;
  CREATE INDEX roots_by_layer ON roots(top_layer);
  CREATE INDEX layers_by_parent ON layers(parent);
  CREATE INDEX images_by_layer ON images(top_layer);
  `,
  `
  -- What is remembered of a container's runs; and steps of more kinds than the first release knew.
  ALTER TABLE containers ADD COLUMN history TEXT NOT NULL DEFAULT '{}';
  CREATE TABLE intents_of_all_kinds (
    container TEXT PRIMARY KEY REFERENCES containers(id) ON DELETE CASCADE,
    verb      TEXT NOT NULL,
    detail    TEXT NOT NULL
  ) STRICT;
  INSERT INTO intents_of_all_kinds SELECT container, verb, detail FROM intents;
  DROP TABLE intents;
  ALTER TABLE intents_of_all_kinds RENAME TO intents;
  `,
  `
  CREATE TABLE volumes (
    name       TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    labels     TEXT NOT NULL,
    options    TEXT NOT NULL, -- of the driver: type, device, o
    state      TEXT NOT NULL CHECK (state IN ('ready', 'removing'))
  ) STRICT;

  -- Which container was made with which volume. Goes with its container.
  CREATE TABLE volume_uses (
    container TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,
    volume    TEXT NOT NULL REFERENCES volumes(name),
    PRIMARY KEY (container, volume)
  ) STRICT;
  CREATE INDEX volume_uses_by_volume ON volume_uses(volume);

  -- Layers of other images that a container has mounted: they stay while it is there.
  CREATE TABLE image_mounts (
    container TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,
    target    TEXT NOT NULL,
    top_layer TEXT REFERENCES layers(chain_id),
    PRIMARY KEY (container, target)
  ) STRICT;
  CREATE INDEX image_mounts_by_layer ON image_mounts(top_layer);
  `,
  `
  -- Networks that clients made; the built-in ones are facts of the engine.
  CREATE TABLE networks (
    id    TEXT PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE,
    spec  TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('making', 'ready', 'removing'))
  ) STRICT;
  `,
  `
  -- Bytes known by their digest, in <data root>/content/sha256: what registries keep of layers.
  CREATE TABLE blobs (
    digest     TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL
  ) STRICT;
  -- Which blobs inflate to a layer's tar. The blob itself may be gone: a push asks the registry for it first.
  CREATE TABLE layer_blobs (
    diff_id    TEXT NOT NULL,
    digest     TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (diff_id, digest)
  ) STRICT;
  -- Where a blob was seen: a push to the same registry mounts it from there.
  CREATE TABLE blob_places (
    digest     TEXT NOT NULL,
    repository TEXT NOT NULL, -- docker.io/library/hello
    PRIMARY KEY (digest, repository)
  ) STRICT;
  -- Manifests and indexes as they came or went, byte for byte.
  CREATE TABLE manifests (
    digest     TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    body       BLOB NOT NULL
  ) STRICT;
  -- The manifest of this very image, for this very platform: a push of it keeps its digest.
  CREATE TABLE image_manifests (
    image    TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
    manifest TEXT NOT NULL REFERENCES manifests(digest),
    PRIMARY KEY (image, manifest)
  ) STRICT;
  -- What an image is called by digest: repository@digest, of the manifest or index that was pulled or pushed.
  CREATE TABLE repo_digests (
    image      TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
    repository TEXT NOT NULL, -- docker.io/library/hello
    digest     TEXT NOT NULL,
    PRIMARY KEY (image, repository, digest)
  ) STRICT;
  -- The image that another was committed or built from.
  ALTER TABLE images ADD COLUMN parent TEXT;
  `,
  `
  -- Bytes of the file beside a layer's folder from which its tar is put together again; null: there is none.
  ALTER TABLE layers ADD COLUMN recipe_bytes INTEGER;
  `,
  `
  -- Bytes of a layer's uncompressed tar; null: nobody counted.
  ALTER TABLE layers ADD COLUMN tar_bytes INTEGER;
  `,
  `
  -- What a layer takes of the disk: folder and recipe, in whole blocks. It never changes; null: nobody has measured it yet.
  ALTER TABLE layers ADD COLUMN disk_bytes INTEGER;

  -- What a container had written at a moment: a copy of its upper folder, at <its folder>/snapshots/<id>.
  CREATE TABLE snapshots (
    id         TEXT PRIMARY KEY,
    container  TEXT NOT NULL REFERENCES containers(id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    comment    TEXT NOT NULL,
    created_at TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, -- of the files in it
    UNIQUE (container, name)
  ) STRICT;
  -- Containers that stand still only for as long as a snapshot of them is taken.
  CREATE TABLE snapshot_pauses (
    container TEXT PRIMARY KEY REFERENCES containers(id) ON DELETE CASCADE
  ) STRICT;
  `,
  `
  -- A container of which a snapshot is being taken, or that goes back to one: boot tidies its folder. is_paused: it stands
  -- still only for that.
  DROP TABLE snapshot_pauses;
  CREATE TABLE snapshot_work (
    container TEXT PRIMARY KEY REFERENCES containers(id) ON DELETE CASCADE,
    is_paused INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- The mark of a row whose files are not known to be on the disk (store/write-out.ts), or 'lost'; null: they are.
  ALTER TABLE layers ADD COLUMN unwritten TEXT;
  ALTER TABLE blobs ADD COLUMN unwritten TEXT;
  CREATE INDEX layers_unwritten ON layers(unwritten) WHERE unwritten IS NOT NULL;
  CREATE INDEX blobs_unwritten ON blobs(unwritten) WHERE unwritten IS NOT NULL;
  `,
];
