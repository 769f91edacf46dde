// What goes into the one file for `<script type="module">`: all of both entries. The only `export *` there is, since a
// list of names here would be a copy of theirs.
export * from './index.js';
export * from './token/index.js';
