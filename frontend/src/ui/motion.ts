// Whether things should move. Style sheets ask for themselves; this is for what scripts set in motion.

/** The system asks for less motion, or the person does in this page's settings. */
export const isCalm = (): boolean => window.matchMedia("(prefers-reduced-motion: reduce)").matches || document.documentElement.hasAttribute("data-calm");
