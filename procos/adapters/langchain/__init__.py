"""Chat models through LangChain, which is imported when the first question is asked."""
