export { type Alert, type AlertMetric, type AlertOptions, type AlertRule, watchThresholds } from './alerts.ts';
export { createInspector, type Fault, type Inspector, type InspectorOptions } from './inspector.ts';
export type { InspectorMessage, RelaySummary, Summary } from './messages.ts';
export { type ObserveOptions, observePool } from './observe.ts';
export { createRecorder, FAILURES, type Recorder, type RecorderOptions } from './recorder.ts';
export { type Recording, readRecording } from './recording.ts';
export { saveRecording } from './save-recording.ts';
