import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recording } from './recording.ts';

/** Writes a recording into a folder, under a name with its time. Returns its path; rejects as the file system does. */
export async function saveRecording(recording: Recording, folder: string): Promise<string> {
  const time = new Date(recording.savedAt).toISOString().replaceAll(':', '-');
  const path = join(folder, `recloser-${time}.json`);
  await mkdir(folder, { recursive: true });
  // Whoever looks for recordings finds whole ones only.
  await writeFile(`${path}.part`, JSON.stringify(recording));
  await rename(`${path}.part`, path);
  return path;
}
