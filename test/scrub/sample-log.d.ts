export declare function sampleLog(length: number, seed?: number): Buffer;
