// By which the pages and the service worker of this browser hear of each other.

/** The little of a BroadcastChannel that is needed here. */
export interface Channel {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** `null` where the browser has none, or refuses it to pages without storage. */
export function openChannel(name: string, open: (name: string) => Channel = (called) => new BroadcastChannel(called)): Channel | null {
  try {
    return open(name);
  } catch {
    return null;
  }
}
