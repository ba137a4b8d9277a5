/** Whether the part was built of what its sources are now. */
export function isBuilt(part: 'native' | 'typescript' | 'docs'): boolean;
