// The mark: two threads over and under two others.

export function Logo(): React.JSX.Element {
  return (
    <svg className="logo" viewBox="0 0 32 32" fill="none" strokeWidth="4" strokeLinecap="round" aria-hidden="true">
      <path className="logo-warp" d="M11 6v7.500M11 18.500V26M21 6v0M21 12v14" />
      <path className="logo-weft" d="M6 11h0M14.500 11H26M6 21h11.500M24.500 21H26" />
    </svg>
  );
}

/** The picture of an empty shelf: threads waiting for the first one across. */
export function EmptyLoom(): React.JSX.Element {
  return (
    <svg className="loom" viewBox="0 0 160 96" fill="none" strokeLinecap="round" aria-hidden="true">
      {Array.from({ length: 11 }, (_, thread) => (
        <path key={thread} className="loom-warp" d={`M${30 + thread * 10} 12V84`} />
      ))}
      <path className="loom-weft" d="M20 66H140M20 56H140M20 46H96" />
      <path className="loom-shuttle" d="M92 46c6-5 22-5 28 0-6 5-22 5-28 0Z" />
      <path className="loom-beam" d="M18 12H142M18 84H142" />
    </svg>
  );
}
