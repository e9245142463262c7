// Close codes of the server that change what is to be done; mirrors `src/protocol/close.rs`.

/** The frame or message was beyond the limit. */
export const TOO_BIG = 1009;
/** Understood, and not allowed. */
export const POLICY = 1008;
/** In the trash, or deleted. */
export const GONE = 4404;
/** What we say on each connection was refused, and would be again. */
export const REFUSED = 4422;
/** Not for us: coming back with the same papers changes nothing. */
export const FINAL: ReadonlySet<number> = new Set([4401, 4403]);
/** No room, for now. */
export const BUSY: ReadonlySet<number> = new Set([1013, 4529]);
