import { describe, expect, test } from 'vitest';
import { Reader, type WhenFull } from '../../src/intake/reader.ts';

function reading(bufferMax: number, whenFull: WhenFull = 'close') {
  const said: string[] = [];
  const reader = new Reader<number>({
    bufferMax,
    whenFull,
    overrun: () => {
      said.push('overrun');
      reader.end();
    },
    stopped: () => said.push('stopped'),
  });
  return { reader, said };
}

describe('a reader', () => {
  test('gets what waits, then what comes, in order, also when it asks several times at once', async () => {
    const { reader } = reading(10);
    reader.push(1);
    reader.push(2);
    const asked = [reader.next(), reader.next(), reader.next(), reader.next()];
    reader.push(3);
    reader.push(4);
    expect((await Promise.all(asked)).map(({ value }) => value)).toEqual([1, 2, 3, 4]);
  });

  test('ends when nothing more comes, after what waits', async () => {
    const { reader } = reading(10);
    reader.push(1);
    reader.end();
    reader.push(2);
    const read: number[] = [];
    for await (const value of reader) read.push(value);
    expect(read).toEqual([1]);
  });

  test('whoever waits at the end is told', async () => {
    const { reader } = reading(10);
    const waiting = reader.next();
    reader.end();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  test('that is slow gets what had come, and then an error once', async () => {
    const { reader, said } = reading(2);
    for (const value of [1, 2, 3, 4]) reader.push(value);
    expect(said).toEqual(['overrun']);
    expect([(await reader.next()).value, (await reader.next()).value]).toEqual([1, 2]);
    await expect(reader.next()).rejects.toMatchObject({ code: 'BUFFER_FULL' });
    expect((await reader.next()).done).toBe(true);
  });

  test('or loses the oldest, counted, where it is told so', async () => {
    const { reader, said } = reading(2, 'drop-oldest');
    for (const value of [1, 2, 3, 4]) reader.push(value);
    expect([(await reader.next()).value, (await reader.next()).value]).toEqual([3, 4]);
    expect(reader.dropped).toBe(2);
    expect(said).toEqual([]);
  });

  test('that leaves its loop has stopped', async () => {
    const { reader, said } = reading(10);
    reader.push(1);
    for await (const _value of reader) break;
    expect(said).toEqual(['stopped']);
    expect((await reader.next()).done).toBe(true);
  });
});
