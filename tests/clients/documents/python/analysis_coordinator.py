# Document 003, "Using StreamingCoordinator", as it stands there.
from api.streaming_integration import StreamingCoordinator
from core.agents.base_agent import AnalysisContext

# Create context
context = AnalysisContext(
    bill_id="bill-123",
    bill_text="...",
    bill_sections={},
    extracted_mechanisms={},
    baseline_data={},
)

# Run streaming analysis
coordinator = StreamingCoordinator()
result = await coordinator.run_streaming_analysis(
    context,
    analysis_id="my-analysis-id"
)
