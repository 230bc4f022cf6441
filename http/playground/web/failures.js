// What went wrong, in words, as a GraphQL answer: GraphiQL shows it where results are shown.
const WHY = {
  1006: "The connection was lost, or could not be made.",
  1013: "The server has as many connections as it can serve; try again in a while.",
  4403: "The server refuses these credentials, or the token has run out.",
};

export const failure = (message, extensions) => ({ errors: [{ message, ...(extensions && { extensions }) }] });

const isClose = (problem) => typeof problem?.code === "number" && "reason" in problem;

// Of a subscription: the errors of the protocol, a close of the WebSocket, or what the client threw.
export function failed(problem) {
  if (Array.isArray(problem)) return { errors: problem };
  if (isClose(problem)) {
    const why = WHY[problem.code] ?? "The server has closed the connection.";
    const said = problem.reason && problem.reason !== "Forbidden" ? ` It says: ${problem.reason}` : "";
    return failure(`${why}${said}`, { closeCode: problem.code });
  }
  return failure(problem instanceof Error ? problem.message : String(problem));
}

export const isRefusal = (problem) => isClose(problem) && problem.code === 4403;
export const isLoss = (problem) => isClose(problem) && problem.code !== 4403;
