"""What FOCUS calls a provider and its service.

Belongs here: display names. Does not belong here: prices, and the names of models.
"""

from __future__ import annotations

from collections.abc import Mapping

NAMES: Mapping[str, tuple[str, str]] = {
    "openai": ("OpenAI", "OpenAI API"),
    "anthropic": ("Anthropic", "Claude API"),
    "azure.ai.openai": ("Microsoft", "Azure OpenAI"),
    "azure.ai.inference": ("Microsoft", "Azure AI Foundry Models"),
    "aws.bedrock": ("AWS", "Amazon Bedrock"),
    "gcp.vertex_ai": ("Google Cloud", "Vertex AI"),
    "gcp.gemini": ("Google Cloud", "Gemini API"),
    "cohere": ("Cohere", "Cohere API"),
    "mistral_ai": ("Mistral AI", "Mistral API"),
    "deepseek": ("DeepSeek", "DeepSeek API"),
    "groq": ("Groq", "GroqCloud"),
    "x_ai": ("xAI", "xAI API"),
}
"""Provider, as `gen_ai.provider.name` has it → name of the provider, name of the service. Others keep their own."""
