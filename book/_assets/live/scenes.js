export const SCENES = [];
export const DEFAULTS = {};
export function readState() {}
export function writeState() {}
