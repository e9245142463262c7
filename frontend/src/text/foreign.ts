/** Whether other programs wrote lists into this HTML in their own way, which foreign-html.ts then makes ours. */
export const isForeign = (html: string): boolean => /mso-list|checkbox/i.test(html) && !html.includes("data-pm-slice");
