import { compileTable, type TableRecord } from '../table.ts';
import { type AuthContext, initialAuthContext } from './auth.context.ts';
import type { AuthEvent, AuthState } from './auth.events.ts';
import { authMachine } from './auth.machine.ts';
import type { AuthEffect } from './auth.setup.ts';

export type AuthRecord = TableRecord<AuthContext, AuthState>;

export const authTable = compileTable<AuthContext, AuthEvent, undefined, AuthState, AuthEffect>(
  authMachine,
  initialAuthContext,
);
