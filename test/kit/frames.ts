import { areFrameBytes, type FrameBytes } from '../../src/frame.ts';

/** A text as the bytes of a frame, which begins somewhere in memory because it was read together with others. */
export function inBytes(text: string): FrameBytes {
  const bytes = Buffer.from(`["EVENT"...${text}...`).subarray(11, -3);
  if (!areFrameBytes(bytes)) throw new Error('a Buffer should be that');
  return bytes;
}
