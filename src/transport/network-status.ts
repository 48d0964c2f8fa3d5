/** What the platform knows of our own network. */
export interface NetworkStatus {
  /** False when there certainly is none; true says nothing. */
  readonly isOnline: boolean;
  /** Calls back on every change; returns the function that ends it. */
  subscribe(listener: (online: boolean) => void): () => void;
}

/** For platforms that do not know: a failure tells soon enough. */
export const unknownNetwork: NetworkStatus = { isOnline: true, subscribe: () => () => {} };

/** The part of a browser's window or worker that is used. */
export interface NetworkEvents {
  readonly navigator?: { readonly onLine?: boolean };
  addEventListener(type: 'online' | 'offline', listener: () => void): void;
  removeEventListener(type: 'online' | 'offline', listener: () => void): void;
}

/** `navigator.onLine` and its events, as the HTML standard has them. */
export const browserNetwork = (window: NetworkEvents): NetworkStatus => ({
  get isOnline() {
    return window.navigator?.onLine !== false;
  },
  subscribe(listener) {
    const online = (): void => listener(true);
    const offline = (): void => listener(false);
    window.addEventListener('online', online);
    window.addEventListener('offline', offline);
    return () => {
      window.removeEventListener('online', online);
      window.removeEventListener('offline', offline);
    };
  },
});
