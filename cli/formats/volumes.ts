import type { VolumeInspect } from '../../api/volumes.ts';
import { labelList, labelsOf } from './rows.ts';
import type { Row, RowFormat } from './rows.ts';
import { formatSize } from './sizes.ts';

type VolumeField =
  'Availability' | 'Driver' | 'Group' | 'Labels' | 'Links' | 'Mountpoint' | 'Name' | 'Scope' | 'Size' | 'Status';

export const volumeFormat: RowFormat<VolumeField> = {
  titles: {
    Availability: 'AVAILABILITY',
    Driver: 'DRIVER',
    Group: 'GROUP',
    Labels: 'LABELS',
    Links: 'LINKS',
    Mountpoint: 'MOUNTPOINT',
    Name: 'VOLUME NAME',
    Scope: 'SCOPE',
    Size: 'SIZE',
    Status: 'STATUS',
  },
  table: ['Driver', 'Name'],
  quiet: 'Name',
};

/** What `volume ls` and `system df -v` print of a volume. Sizes are known to the latter only. */
export function volumeRow(volume: VolumeInspect): Row<VolumeField> {
  const usage = volume.UsageData ?? null;
  return {
    Availability: 'N/A',
    Driver: volume.Driver,
    Group: 'N/A',
    Labels: labelList(volume.Labels),
    Links: usage === null ? 'N/A' : String(usage.RefCount),
    Mountpoint: volume.Mountpoint,
    Name: volume.Name,
    Scope: volume.Scope,
    Size: usage === null ? 'N/A' : formatSize(usage.Size, 4),
    Status: 'N/A',
    [labelsOf]: volume.Labels,
  };
}
