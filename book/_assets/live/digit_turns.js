// Digits that become others stroke by stroke: lists of points from 0 to 1, right and down.

/** Points of an ellipse around (x, y), from one angle to another; 0° is right, 90° down. */
export function arc(x, y, wide, high, from, to) {
  return Array.from({ length: 25 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / 24) * Math.PI) / 180;
    return [x + wide * Math.cos(angle), y + high * Math.sin(angle)];
  });
}

/** A line, or several in one stroke. */
export function line(...points) {
  return points
    .slice(1)
    .flatMap(([x, y], i) =>
      Array.from({ length: 11 }, (_, k) => [
        points[i][0] + ((x - points[i][0]) * k) / 10,
        points[i][1] + ((y - points[i][1]) * k) / 10,
      ]),
    );
}

const three = [...arc(0.48, 0.33, 0.17, 0.15, -150, 90), ...arc(0.48, 0.67, 0.2, 0.19, -90, 150)];

export const TURNS = [
  {
    title: "3 into 8",
    strokes: [three, arc(0.48, 0.33, 0.17, 0.15, 90, 210), arc(0.48, 0.67, 0.2, 0.19, 150, 270)],
  },
  {
    title: "5 into 6",
    strokes: [
      [...line([0.54, 0.14], [0.4, 0.16], [0.36, 0.46]), ...arc(0.47, 0.66, 0.17, 0.2, -130, 166)],
      line([0.36, 0.46], [0.3, 0.58], [0.305, 0.708]),
    ],
  },
  {
    title: "1 into 4",
    strokes: [line([0.56, 0.16], [0.54, 0.84]), line([0.36, 0.2], [0.3, 0.52], [0.7, 0.52])],
  },
  {
    title: "0 into 8",
    strokes: [
      arc(0.5, 0.5, 0.2, 0.31, -90, 270),
      line([0.41, 0.4], [0.59, 0.56]),
      line([0.59, 0.4], [0.41, 0.56]),
    ],
  },
];
