/** Files that are dropped anywhere on the page, or chosen in a dialog. */

export interface DropZones {
  /** A picture of any kind that the browser reads. */
  picture(file: File): void;
  /** An ONNX model. */
  network(file: File): void;
  /** Neither. */
  other(file: File): void;
}

function take(file: File | undefined, zones: DropZones): void {
  if (file === undefined) return;
  if (file.type.startsWith('image/')) zones.picture(file);
  else if (/\.(onnx|ort)$/i.test(file.name)) zones.network(file);
  else zones.other(file);
}

/** @param veil  Shown while a file is over the page. */
export function setUpDrop(veil: HTMLElement, inputs: readonly HTMLInputElement[], zones: DropZones): void {
  // Elements that are entered before others are left: their count tells when the page itself is left.
  let depth = 0;
  const show = (isOver: boolean): void => {
    veil.hidden = !isOver;
  };
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
  document.addEventListener('dragenter', (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    show(true);
  });
  document.addEventListener('dragleave', (event) => {
    if (!hasFiles(event)) return;
    depth -= 1;
    if (depth <= 0) show(false);
  });
  document.addEventListener('dragover', (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  document.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    take(event.dataTransfer?.files[0], zones);
  });
  for (const input of inputs) {
    input.addEventListener('change', () => {
      take(input.files?.[0], zones);
      input.value = '';
    });
  }
}
