export { type Alert, type AlertMetric, type AlertOptions, type AlertRule, watchThresholds } from './alerts.ts';
export { type BrowserInspector, type BrowserInspectorOptions, createBrowserInspector } from './browser-inspector.ts';
export type { InspectorMessage, RelaySummary, Summary } from './messages.ts';
export { type ObserveOptions, observePool } from './observe.ts';
export { createRecorder, FAILURES, type Recorder, type RecorderOptions } from './recorder.ts';
export { type Recording, readRecording } from './recording.ts';
