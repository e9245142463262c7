// The sign of each kind of document, wherever documents are listed.
import { FileCode2, FileText, Shapes } from "lucide-react";
import type { Kind } from "./kind";

export const KIND_ICONS: Readonly<Record<Kind, React.JSX.Element>> = { text: <FileText />, plain: <FileCode2 />, board: <Shapes /> };
