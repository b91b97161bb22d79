// The counterpart of pyojeong/runtime/output_head.py: logits -> shares of people, and one label.

/** Shares of each label; `head` is one of page.json's, one for each choice of base rates. */
export function shares(logits, head) {
  const z = head.columns.map((column, i) => {
    const scale = head.scale ? head.scale[i] : 1, offset = head.offset ? head.offset[i] : 0;
    return (logits[column] / head.temperature) * scale + offset;
  });
  const most = Math.max(...z), e = z.map((v) => Math.exp(v - most));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}

/** The best label, or "unclear" when its share is below the threshold of the model's card. */
export function labelOf(scores, labels, threshold) {
  const best = Math.max(...scores);
  return best < threshold ? "unclear" : labels[scores.indexOf(best)];
}

/** Appearance valence: happy minus the largest of sad, angry, fear and disgust. */
export function valence(scores, labels) {
  const of = (name) => scores[labels.indexOf(name)];
  return of("happy") - Math.max(of("sad"), of("angry"), of("fear"), of("disgust"));
}
