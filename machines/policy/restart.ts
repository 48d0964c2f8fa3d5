import type { SupervisorSettings } from './settings.ts';

/** The times of earlier restarts that still count at `now`. */
export function recentRestarts(times: readonly number[], settings: SupervisorSettings, now: number): readonly number[] {
  return times.filter((time) => time > now - settings.restartWindowMs);
}

/** Whether one more restart stays within the intensity limit, as in the supervisors of Erlang/OTP. */
export function mayRestart(times: readonly number[], settings: SupervisorSettings, now: number): boolean {
  return recentRestarts(times, settings, now).length < settings.restartsMax;
}
