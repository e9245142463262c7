// Whether the title of the document is out of sight.
import { useEffect, useState } from "react";

/** Whether the marked element has been scrolled out at the top; the bar then says the title instead. */
export function useScrolledPast(): [boolean, (element: HTMLElement | null) => void] {
  const [past, setPast] = useState(false);
  const [mark, setMark] = useState<HTMLElement | null>(null);
  useEffect(() => {
    if (mark === null) return;
    const observer = new IntersectionObserver(([entry]) => {
      if (entry) setPast(!entry.isIntersecting && entry.boundingClientRect.top < 100);
    }, { rootMargin: "-64px 0px 0px 0px" });
    observer.observe(mark);
    return () => observer.disconnect();
  }, [mark]);
  return [past && mark !== null, setMark];
}
