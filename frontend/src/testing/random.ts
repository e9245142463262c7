// Numbers by chance for tests, the same ones for the same seed everywhere.

/** Mulberry32: small, and good enough to choose operations. From 0 to below 1. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same as whole numbers, from 0 to below what is asked for. */
export function seeded(seed: number): (below: number) => number {
  const next = generator(seed);
  return (below) => Math.floor(next() * below);
}
