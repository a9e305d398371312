// Document 002, "React Component", as it stands there.
function ChatMessage({ agentId, goal }: Props) {
  const { content, isStreaming, error } = useAgentStream(agentId, goal);

  if (error) {
    return <div className="error">{error.message}</div>;
  }

  return (
    <div className="message">
      <p>{content}</p>
      {isStreaming && <span className="cursor">▌</span>}
    </div>
  );
}
