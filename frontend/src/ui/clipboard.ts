// Copying, with words for both outcomes: browsers allow it on secure origins only.
import i18next from "i18next";
import { showToast } from "./toast";

export async function copyToClipboard(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    showToast({ text: i18next.t("row.copied") });
  } catch {
    showToast({ text: i18next.t("row.copyFailed") });
  }
}
