/** @param target  The folder; made when it is not there. */
export function buildExplorer(target: string): Promise<void>;
